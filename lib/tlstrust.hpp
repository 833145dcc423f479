// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

namespace clips {

// Whether the environment variable SSL_CERT_FILE names certificate authorities.
bool names_authorities();

// Has an element that reads https trust the certificate authorities of the PEM file that the
// environment variable SSL_CERT_FILE names, instead of the system's. GIO, which does the elements'
// TLS, does not look at it. A file that cannot be used is an error message of the element
// (RESOURCE/SETTINGS).
//
// Does nothing for other elements, without the variable, and for one that was given a database of
// certificates.
void trust_certificate_file(GstElement* source);

// Why the certificate of an https URI's server is not trusted, as the rest of a sentence; empty
// where it is, or the server cannot be reached. For errors, since souphttpsrc says nothing of it:
// asks the server, which takes up to a few seconds.
std::string why_not_trusted(const char* uri);

}  // namespace clips
