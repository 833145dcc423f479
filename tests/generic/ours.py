# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this project registers, read from the registry as an application would."""

import os
import pathlib

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

SOURCE = pathlib.Path(os.environ["CLIPS_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["CLIPS_BUILD_ROOT"])
# Plugin name -> its folder.
PLUGINS = {
    "scenecut": "scenecut",
    "cliprange": "cliprange",
    "clipsmedia": "media",
    "clipss3": "s3",
    "publish": "publish",
    "clipspipelines": "pipelines",
}


def plugins():
    """The plugins of this build: (name, Gst.Plugin)."""
    found = ((name, Gst.Registry.get().find_plugin(name)) for name in PLUGINS)
    return [(name, plugin) for name, plugin in found if plugin]


def factories(plugin_name):
    """The names of the elements that a plugin registers."""
    features = Gst.Registry.get().get_feature_list_by_plugin(plugin_name)
    return sorted(f.get_name() for f in features if isinstance(f, Gst.ElementFactory))


ELEMENTS = [(plugin, name) for plugin, _ in plugins() for name in factories(plugin)]
