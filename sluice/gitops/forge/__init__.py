"""Requests on GitHub and GitLab, by their REST APIs, behind one seam: what a forge does is the protocol `Forge`."""
