"""Kinds of files that several datasets come in: lists of images, pickles, IDX and MATLAB, what torchvision unpacks."""
