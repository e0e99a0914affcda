"""The MLP of every block trains, with the head: the counterpart of training the attention alone."""

from mimi_core.methods.attn_only import train_only

METHOD = train_only("mlp")
