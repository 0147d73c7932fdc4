"""Contestants are asked: tasks, conversations of several turns, likelihoods, and what runs them all."""
