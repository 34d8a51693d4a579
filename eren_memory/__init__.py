"""An assistant's memory that moderators can edit: EREN prompting over a notebook of corrections.

`eren_memory.app.open_app` wires the parts.
"""

__version__ = "0.1.0"
