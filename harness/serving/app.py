"""The application: routes, what guards them, and how it starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from harness import __version__

from . import openai_routes, page_routes, papers, released
from .asked import Limits
from .driver import Driver
from .guard import Guard
from .problems import Refused, of_error, of_validation
from .service import Service


def application(drivers: Mapping[str, Driver], limits: Limits, token: str, held: papers.Papers) -> ASGIApp:
    """Return the guarded application of these models, which are opened when it starts."""
    service = Service(drivers, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for driver in service.drivers.values():
            driver.start()
        yield
        service.draining = True
        for driver in service.drivers.values():
            driver.close(limits.grace_seconds)

    app = FastAPI(
        title="Assay", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, debug=False
    )
    app.include_router(openai_routes.routes(service))
    app.include_router(released.routes(service))
    app.include_router(page_routes.routes())
    app.include_router(papers.routes(held))
    _add_signs_of_life(app, service)
    _add_problems(app)

    def count(route: str, status: int) -> None:
        service.meters.requests.labels(route, str(status)).inc()

    return Guard(app, token, limits, count)


def _add_signs_of_life(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the server lives."""
        return {"status": "ok"}

    @app.get("/ready", responses=openai_routes.PROBLEMS)
    async def ready() -> dict[str, Any]:
        """Tell whether every model can be asked."""
        for driver in service.drivers.values():
            service.checked(driver)
        return {"status": "ready", "models": list(service.drivers)}

    @app.get("/metrics")
    async def metrics() -> Response:
        """Tell Prometheus how the server does."""
        return Response(service.meters.page(), media_type=service.meters.content_type)


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(http: Request, error: Refused) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(http: Request, error: RequestValidationError) -> JSONResponse:
        return of_validation(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def http_error(http: Request, error: HTTPException) -> JSONResponse:
        said = {
            400: "the body cannot be read",
            404: "there is no such route",
            405: "the route takes another method",
        }
        message = said.get(error.status_code, "the request cannot be answered")
        headers = dict(error.headers or {})
        return Refused(message, error.status_code, headers=headers).response()

    @app.exception_handler(Exception)
    async def failed(http: Request, error: Exception) -> JSONResponse:
        return of_error(error).response()
