"""A writer of .xlsx workbooks for tests."""

import zipfile

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINK = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'


def escape(value: object) -> str:
    return str(value).replace('&', '&amp;').replace('<', '&lt;').replace('"', '&quot;')


def write_book(path, sheets: dict[str, list[list]], shared_texts: bool):
    """A workbook as Excel (texts in a table of their own) or as openpyxl (inline) writes it."""
    texts: list[str] = []

    def cell(place: str, value: object) -> str:
        if value is None:
            return f'<c r="{place}"/>'
        if not isinstance(value, str):
            return f'<c r="{place}" t="n"><v>{value}</v></c>'
        if not shared_texts:
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        texts.append(value)
        return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>'

    with zipfile.ZipFile(path, 'w') as book:
        names, links = '', ''
        for i, (name, rows) in enumerate(sheets.items(), 1):
            content = ''.join(
                f'<row r="{r}">'
                + ''.join(cell(f'{chr(65 + c)}{r}', v) for c, v in enumerate(row))
                + '</row>'
                for r, row in enumerate(rows, 1)
            )
            data = f'<worksheet {MAIN}><sheetData>{content}</sheetData></worksheet>'
            book.writestr(f'xl/worksheets/sheet{i}.xml', data)
            names += f'<sheet name="{name}" sheetId="{i}" r:id="rId{i + 4}"/>'
            target = f'worksheets/sheet{i}.xml' if shared_texts else f'/xl/worksheets/sheet{i}.xml'
            links += f'<Relationship Id="rId{i + 4}" Target="{target}"/>'
        book.writestr(
            'xl/workbook.xml',
            f'<workbook {MAIN} xmlns:r="{LINK}"><sheets>{names}</sheets></workbook>',
        )
        book.writestr('xl/_rels/workbook.xml.rels', f'<Relationships>{links}</Relationships>')
        if shared_texts:
            # Every other text in two pieces, as different fonts make them.
            items = ''.join(
                f'<si><r><t>{escape(t[:2])}</t></r><r><t>{escape(t[2:])}</t></r></si>'
                if i % 2
                else f'<si><t xml:space="preserve">{escape(t)}</t></si>'
                for i, t in enumerate(texts)
            )
            book.writestr('xl/sharedStrings.xml', f'<sst {MAIN}>{items}</sst>')
