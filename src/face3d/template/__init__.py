"""The same place on every face: the template, laid on scans."""
