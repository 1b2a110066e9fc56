"""Matchable attributes: settings of projects, domains and workflows that override the platform's."""
