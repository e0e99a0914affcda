"""The field this project is about: adapters, where they sit, what their neurons are worth, and how they shrink."""
