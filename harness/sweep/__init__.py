"""Many runs at once: a file of models, tasks, seeds and overrides, here, on Ray or on SLURM.

A cell is an ordinary run in a process of its own, so that its fall hurts no other. What is finished is found
again by the files of the runs themselves: a sweep keeps no state.
"""
