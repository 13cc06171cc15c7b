"""The chat page, offline and of one piece with the server, and the drawings it shows."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from harness.chem.pictures import picture
from harness.chem.smiles import molecule as read_molecule

from .problems import Refused

FOLDER = Path(__file__).parent / "page"
LONGEST = 300  # characters of a molecule that is drawn


def routes() -> APIRouter:
    """Return the routes of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page() -> FileResponse:
        """Return the page."""
        return FileResponse(FOLDER / "index.html")

    @router.get("/page.css")
    async def style() -> FileResponse:
        """Return how it looks."""
        return FileResponse(FOLDER / "page.css")

    @router.get("/page.js")
    async def script() -> FileResponse:
        """Return what it does."""
        return FileResponse(FOLDER / "page.js")

    @router.get("/paper.js")
    async def paper() -> FileResponse:
        """Return how it shows papers."""
        return FileResponse(FOLDER / "paper.js")

    @router.get("/markdown.js")
    async def markdown() -> FileResponse:
        """Return how it lays answers out."""
        return FileResponse(FOLDER / "markdown.js")

    @router.get("/molecule.svg")
    def molecule(smiles: str) -> Response:
        """Draw a molecule."""
        if len(smiles) > LONGEST or read_molecule(smiles) is None:
            raise Refused("this is no molecule that can be drawn", 404)
        return Response(picture(smiles), media_type="image/svg+xml")

    return router
