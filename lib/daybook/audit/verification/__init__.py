"""Whether all is as it was entered: the chain, sealed rows and reports, persons' standings, the endpoint's counts."""
