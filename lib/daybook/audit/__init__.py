"""The trail: what was done with personal data and by whom, and the proof that nobody changed it afterwards."""
