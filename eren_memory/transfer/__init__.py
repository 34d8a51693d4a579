"""Notes out to files and in again, without loss; a file that was imported in part is imported again."""

from eren_memory.transfer.exporting import export_notes
from eren_memory.transfer.importing import Imported, import_notes
from eren_memory.transfer.planning import Planned

__all__ = ["Imported", "Planned", "export_notes", "import_notes"]
