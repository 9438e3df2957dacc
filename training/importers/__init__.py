"""Other people's logs in, transcript/1 out. One module a format; `import_files` reads, redacts and stores."""

from training.importers.detect import FORMATS, detect
from training.importers.rows import Options, Rejected
from training.importers.run import Report, import_files

__all__ = ["FORMATS", "Options", "Rejected", "Report", "detect", "import_files"]
