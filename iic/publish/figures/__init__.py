"""One module a figure, each with ``draw(plan, name, root) -> Drawn``."""
