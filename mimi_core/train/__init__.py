"""Training and pruning: the loop, the cycle, evaluation, safe states. Needs torch; pages never import it."""
