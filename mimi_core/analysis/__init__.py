"""From the events of a run to what a person looks at: tables, sentences, figures. No torch."""
