"""Results as other programs take them: a PDF for the record, DICOM, REDCap, and without what names a person."""
