"""`{{ trait|written:today }}`: a trait's value as tables write it, too."""

from django import template

from accounts.trait_values import written

register = template.Library()
register.filter("written", written)
