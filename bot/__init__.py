"""The Discord front end. Everything that is not Discord lives in `eren_memory`."""
