"""`/compliance/*` and `/safety/*`: a person's rights, the trail, and texts judged or redacted."""
