"""A Django form as JSON Schema: what the wizard renders and the API validates is described once."""

from typing import Any

from django import forms


def form_schema(form_class: type[forms.BaseForm]) -> dict[str, Any]:
    fields = form_class.base_fields  # type: ignore[attr-defined]
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False}
    required = [name for name, field in fields.items() if field.required and field.initial is None]
    if required:
        schema["required"] = required
    schema["properties"] = {name: field_schema(field) for name, field in fields.items()}
    return schema


def field_schema(field: forms.Field) -> dict[str, Any]:
    """A field that holds a list of small forms says which by a method `item_form`; choices `of_workspace` differ."""
    schema = _type(field)
    for name, value in (("title", field.label), ("description", field.help_text), ("default", field.initial)):
        if value not in (None, "") and not callable(value):
            schema[name] = value if name == "default" else str(value)
    return schema


def _type(field: forms.Field) -> dict[str, Any]:
    match field:
        case _ if hasattr(field, "item_form"):
            return {"type": "array", "items": form_schema(field.item_form())}
        case _ if hasattr(field, "texts_inside"):
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case forms.BooleanField():
            return {"type": "boolean"}
        case forms.MultipleChoiceField() if hasattr(field, "of_workspace"):
            return {"type": "array", "items": {"type": "string"}}
        case forms.MultipleChoiceField():
            return {"type": "array", "items": {"type": "string", "enum": _choices(field)}}
        case forms.ChoiceField() if not hasattr(field, "of_workspace"):
            return {"type": "string", "enum": _choices(field)}
        case forms.IntegerField():
            return {"type": "integer"} | _bounds("minimum", "maximum", field.min_value, field.max_value)
        case forms.FloatField() | forms.DecimalField():
            return {"type": "number"}
        case forms.DateField():
            return {"type": "string", "format": "date"}
        case forms.ChoiceField():
            return {"type": "string"}
        case forms.CharField():
            return {"type": "string"} | _bounds("minLength", "maxLength", field.min_length, field.max_length)
    return {}


def _bounds(low_name: str, high_name: str, low: Any, high: Any) -> dict[str, Any]:
    return {name: bound for name, bound in ((low_name, low), (high_name, high)) if bound is not None}


def _choices(field: forms.ChoiceField) -> list[str]:
    choices: Any = field.choices
    return [str(value) for value, _label in choices if value != ""]
