"""What a neuron is worth: a catalogue of scores, one small module each, and what is watched for them while training."""
