"""Parts of the HTML report: each turns a report into plain values or drawings for a template."""
