"""The boards that cameras are calibrated with: where their corners are, and where a picture shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from face3d.errors import SchemaError
from face3d.extras import require
from face3d.scan import Floats, Ints

#: Corners of a board that a picture must show to be used: a pose has six unknowns, the rest averages noise.
LEAST_CORNERS = 8


@dataclass(frozen=True)
class Board:
    """A flat pattern of `columns` x `rows` squares of `square_mm`. A chessboard must be seen whole and have one even
    and one odd number of squares, so that it can't be mistaken for itself turned by half; a ChArUco board has markers
    (of OpenCV's `dictionary`, their sides `marker_share` of a square's) and may be seen in part.

    Raises `SchemaError` for a board that cannot be used.
    """

    kind: Literal["chessboard", "charuco"] = "charuco"
    columns: int = 9
    rows: int = 12
    square_mm: float = 20.0
    marker_share: float = 0.75
    dictionary: str = "4X4_250"

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= 100 and 3 <= self.rows <= 100):
            raise SchemaError(f"a board of {self.columns} x {self.rows} squares; 3 to 100 each way can be used")
        if not 1.0 <= self.square_mm <= 500.0:
            raise SchemaError(f"squares of {self.square_mm:g} mm; measure one in millimetres (1 to 500)")
        if self.kind == "chessboard" and (self.columns + self.rows) % 2 == 0:
            raise SchemaError(
                f"a chessboard of {self.columns} x {self.rows} squares looks the same turned by half; use one even and "
                "one odd number of squares (10 x 7), or a ChArUco board"
            )
        if self.kind == "charuco" and f"DICT_{self.dictionary}" not in dir(require("cv2").aruco):
            raise SchemaError(
                f"{self.dictionary!r} is no dictionary of OpenCV; 4X4_250, 5X5_100, 6X6_250 and so on are"
            )

    def __str__(self) -> str:
        return f"{self.kind} of {self.columns} x {self.rows} squares of {self.square_mm:g} mm"

    def points(self) -> Floats:
        """Inner corners (N, 3) mm in the board's plane z = 0, row by row."""
        x, y = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
        return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]) * self.square_mm

    def find(self, picture: NDArray[np.uint8]) -> tuple[Ints, Floats] | None:
        """Which corners (n,) a picture (H, W, 3) shows, and their pixels (n, 2); None where there are too few."""
        cv2 = require("cv2")
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        found = self._chessboard(cv2, grey) if self.kind == "chessboard" else self._charuco(cv2, grey)
        return found if found is not None and len(found[0]) >= LEAST_CORNERS else None

    def drawn(self, pixels: int) -> NDArray[np.uint8]:
        """The board (H, W) as to be printed, without margin, a square's side being `pixels`."""
        if self.kind == "charuco":
            size = (self.columns * pixels, self.rows * pixels)
            return self._pattern(require("cv2"), legacy=False).generateImage(size, None, 0, 1)
        row, column = np.mgrid[: self.rows, : self.columns]
        return np.kron(255 * ((row + column) % 2), np.ones((pixels, pixels))).astype(np.uint8)

    def _chessboard(self, cv2: Any, grey: NDArray[np.uint8]) -> tuple[Ints, Floats] | None:
        size = (self.columns - 1, self.rows - 1)
        ok, corners = cv2.findChessboardCornersSB(grey, size, None, cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY)
        if not ok:
            return None
        corners = np.asarray(corners, np.float64).reshape(-1, 2)
        grid = corners.reshape(self.rows - 1, self.columns - 1, 2)
        # The first inner square is black, as the one in the corner is; turned by half, it is white.
        first, beside = grid[:2, :2].mean(axis=(0, 1)), grid[:2, 1:3].mean(axis=(0, 1))
        shade = [float(grey[round(y), round(x)]) for x, y in (first, beside)]
        return np.arange(len(corners)), corners if shade[0] < shade[1] else corners[::-1]

    def _charuco(self, cv2: Any, grey: NDArray[np.uint8]) -> tuple[Ints, Floats] | None:
        best: tuple[Ints, Floats] | None = None
        for legacy in (False, True):  # boards with an even number of rows were drawn otherwise before OpenCV 4.6
            corners, ids, *_ = cv2.aruco.CharucoDetector(self._pattern(cv2, legacy)).detectBoard(grey)
            if ids is not None and (best is None or len(ids) > len(best[0])):
                best = np.asarray(ids, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)
        return best

    def _pattern(self, cv2: Any, legacy: bool) -> Any:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{self.dictionary}"))
        size = (self.columns, self.rows)
        pattern = cv2.aruco.CharucoBoard(size, self.square_mm, self.marker_share * self.square_mm, dictionary)
        pattern.setLegacyPattern(legacy)
        return pattern
