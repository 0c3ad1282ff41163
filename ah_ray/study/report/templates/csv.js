// Rows as a CSV file that a spreadsheet opens without running anything in it.

// A cell that begins like a formula gets an apostrophe in front, also behind blanks and quotes.
const FORMULA = /^[\s"'\u00a0\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

function csv_cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",;\r\n\t']|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv_text(columns, items) {
  const lines = [columns.map((column) => csv_cell(column.csv || column.name))];
  for (const item of items) lines.push(columns.map((column) => csv_cell(column.value(item))));
  return `\ufeff${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

function save_csv(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = html("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
