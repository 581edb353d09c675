"""Makes a release of this checkout: `make release VERSION=0.1.0`. Not part of what it makes.

A commit goes in; a folder comes out, with the wheel, the images, what each consists of, and the sums of all.
"""
