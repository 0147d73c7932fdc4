"""What somebody should look at: rules over the book, entered as events; whoever delivers them reads them there."""
