"""What can go wrong, by kind. Every message says what failed, the value, the limit and the way out."""


class Face3DError(Exception):
    """Base of all errors that face3d raises on purpose: the input is at fault, not the program."""


class ScanError(Face3DError):
    """A scan cannot be read, or is not something that can be measured."""


class LandmarkError(Face3DError):
    """Landmarks are missing, contradictory, or could not be found."""


class NoFaceError(LandmarkError):
    """No face was found on a scan."""


class RegistrationError(Face3DError):
    """A superimposition or a template fit did not reach a result that may be believed."""


class SchemaError(Face3DError):
    """A manifest or result file does not follow its schema; the message names the field."""


class WeightsError(Face3DError):
    """A model or weight file is missing, altered, or does not match the program."""


class OutputError(Face3DError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(Face3DError, ModuleNotFoundError):
    """An optional package is not installed; the message names the extra that brings it."""
