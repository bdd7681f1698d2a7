"""Graphs rewritten to compute the same faster; none changes its argument.

Each rewriting takes a graph of a network or a part of one and gives another; weights that stay as
they are stay shared.
"""
