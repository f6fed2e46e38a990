"""Contact sheets, pixel by pixel."""

import numpy as np
from PIL import Image

from matopt.data.images.contact_sheet import GRAIN, MARGIN, PORE, contact_sheet
from matopt.microstructures import Microstructures

IMAGES = Microstructures((np.random.default_rng(0).random((5, 20, 24)) < 0.6).astype(np.uint8), 2e-6)
ROCK = Microstructures((np.random.default_rng(1).random((1, 12, 14, 16)) < 0.6).astype(np.uint8), 2e-6)


def test_a_contact_sheet_shows_every_image_a_pixel_apart(tmp_path):
    contact_sheet(tmp_path / "sheet.png", IMAGES)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    columns = 3
    assert sheet.shape == (2 * 21 + 1, columns * 25 + 1)
    for i, phases in enumerate(IMAGES.phases):
        top, left = i // columns * 21, i % columns * 25
        np.testing.assert_array_equal(sheet[top + 1 : top + 21, left + 1 : left + 25], np.where(phases, GRAIN, PORE))
        assert (sheet[top, left : left + 26] == MARGIN).all() and (sheet[top : top + 22, left] == MARGIN).all()


def test_a_contact_sheet_of_volumes_shows_their_middle(tmp_path):
    contact_sheet(tmp_path / "sheet.png", ROCK)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    np.testing.assert_array_equal(sheet[1:-1, 1:-1], np.where(ROCK.phases[0, 6], GRAIN, PORE))
