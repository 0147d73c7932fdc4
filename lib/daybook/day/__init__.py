"""The main job: one small working day, served, journaled, priced, drained and reported."""
