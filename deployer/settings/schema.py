"""The JSON schema of the settings file, for editors. It refuses less than `load` does, never more."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DictSchema, EnumSchema, ModelSchema, NullableSchema, WithDefaultSchema

from deployer.settings.sections import Settings


class _Generator(GenerateJsonSchema):
    """Without what helps no reader: titles that repeat the key, and null, which `load` refuses."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        generated = super().model_schema(schema)
        generated.pop("title", None)
        return generated

    def enum_schema(self, schema: EnumSchema) -> JsonSchemaValue:
        generated = super().enum_schema(schema)
        generated.pop("title", None)
        return generated

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        return {key: value for key, value in generated.items() if key != "default" or value is not None}

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """Say which keys are allowed, where pydantic would only say what the allowed ones lead to."""
        generated = super().dict_schema(schema)
        ((pattern, values),) = generated.pop("patternProperties").items()
        return {**generated, "propertyNames": {"pattern": pattern}, "additionalProperties": values}


def schema() -> dict[str, object]:
    """Return the JSON schema (draft 2020-12) of the settings file; config/deployer.schema.json is what it returns."""
    generated = Settings.model_json_schema(schema_generator=_Generator)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "deployer.yaml", **generated}
