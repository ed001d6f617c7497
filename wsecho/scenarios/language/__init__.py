"""The language of the URLs: words, arguments, plans, the parser and what a plan may cost. Pure."""
