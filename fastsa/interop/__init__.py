"""Values for other toolkits: results for pyDVL, a data evaluator for OpenDataVal; each is loaded on first use."""
