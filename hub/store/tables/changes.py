"""Changes of policy: what was proposed, who approved it, and what a bundle in the shadow would have decided."""
