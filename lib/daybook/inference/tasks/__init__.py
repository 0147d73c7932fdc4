"""Small tasks (classify, summarize, embed …) by models of this machine, each call entered like any other."""
