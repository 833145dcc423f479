#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a proxy of a video inside of an application: embed.py INPUT OUTPUT"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


def main(source, target):
    Gst.init(None)
    pipeline = Gst.Pipeline()
    proxy = Gst.ElementFactory.make("proxybin")
    if not proxy:
        sys.exit("There is no proxybin; is GST_PLUGIN_PATH set?")
    proxy.props.input = source
    proxy.props.output = target
    proxy.props.crf = 26
    pipeline.add(proxy)

    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(message.parse_error()[0].message)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} INPUT OUTPUT")
    main(*sys.argv[1:])
