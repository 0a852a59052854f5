"""What others ask of a study, written from its results.json: cards, checklists, an appendix, a crate."""
