"""Net promoter score: who may be asked, what was shown, what was answered, and what the answers say together."""
