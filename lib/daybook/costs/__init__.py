"""Who spent what on which model, at the price in force that day; a forecast; what the same tokens cost elsewhere."""
