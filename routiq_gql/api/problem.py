"""The JSON object of a request that failed. ``errors`` fills it.

It has its own module because the command line imports the JSON objects, and must not load the web server with them.
"""

from pydantic import ConfigDict, Field

from routiq_gql.api.json_objects import AnyText, JsonObject


class Problem(JsonObject):
    """Why a request failed (application/problem+json); it has no member `status`."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = Field(description="Always about:blank.")
    title: str = Field(description="The kind of problem.")
    detail: AnyText = Field(description="This problem, as a sentence for people.")
    code: str = Field(description="Stable; programs may branch on it.", examples=["SYNC_NOT_FOUND", "BAD_USER_INPUT"])
    reference: str = Field(
        "",
        description="For an error of the server: the reference under which its log has the reason.",
        exclude_if=lambda reference: not reference,
    )
