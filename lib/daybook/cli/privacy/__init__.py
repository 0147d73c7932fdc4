"""Commands on personal data and evidence: what to find, a person's rights, the trail, backups, what proves a report."""
