import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Marked, type Tokens } from 'marked';
import { gfmHeadingId } from 'marked-gfm-heading-id';

/** What the site shows of the project's texts, and how the page of each is called among the others. */
const TEXTS: ReadonlyMap<string, string> = new Map([
  ['README.md', 'Read me'],
  ['docs/api/emberlink.md', 'API'],
  ['ARCHITECTURE.md', 'Architecture'],
  ['PROTOCOL.md', 'Protocol'],
  ['signaling/README.md', 'Signaling'],
  ['bench/RESULTS.md', 'Speed'],
]);

/**
 * The project's texts as pages, and the pictures in them, by their paths in the site:
 * `docs/index.html` is the README.
 * @param root the project's folder
 */
export function docsPages(root: string): Map<string, Uint8Array> {
  const files = [...TEXTS.keys(), ...markdownIn(root, 'docs/api'), 'demo-game/README.md'];
  const texts = new Map(files.map((file) => [file, pagePath(file)]));
  const site = new Map<string, Uint8Array>();
  for (const [file, path] of texts) {
    const markdown = readFileSync(join(root, file), 'utf8');
    const { html, pictures } = render(markdown, file, texts);
    site.set(path, Buffer.from(pageOf(html, file, path, texts)));
    for (const picture of pictures) site.set(`docs/${picture}`, readFileSync(join(root, picture)));
  }
  return site;
}

function markdownIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

/** `docs/api/emberlink.md` is at `docs/api/emberlink.html`, `README.md` at `docs/index.html`. */
function pagePath(file: string): string {
  const page = file.replace(/(^|\/)README\.md$/, '$1index.md').replace(/\.md$/, '.html');
  return posix.join('docs', page.toLowerCase().replace(/^docs\//, ''));
}

function render(
  markdown: string,
  file: string,
  texts: ReadonlyMap<string, string>,
): { html: string; pictures: Set<string> } {
  const pictures = new Set<string>();
  const marked = new Marked(gfmHeadingId(), {
    renderer: {
      link({ href, tokens }: Tokens.Link): string | false {
        const target = targetOf(href, file, texts);
        const text = this.parser.parseInline(tokens);
        // Sources are no part of the site.
        return target === undefined ? text : `<a href="${escape(target)}">${text}</a>`;
      },
      image({ href, text }: Tokens.Image): string {
        const picture = posix.join(dirname(file), href);
        pictures.add(picture);
        const path = posix.relative(dirname(texts.get(file)!), posix.join('docs', picture));
        return `<img src="${escape(path)}" alt="${escape(text)}" loading="lazy" />`;
      },
    },
  });
  return { html: marked.parse(markdown, { async: false }), pictures };
}

/** Where a link of a text leads to in the site; undefined for what the site has not. */
function targetOf(
  href: string,
  file: string,
  texts: ReadonlyMap<string, string>,
): string | undefined {
  if (/^(https?:|#)/.test(href)) return href;
  const [path = '', fragment] = href.split('#', 2);
  const page = texts.get(posix.join(dirname(file), path));
  if (page === undefined) return undefined;
  const target = posix.relative(dirname(texts.get(file)!), page);
  return fragment === undefined ? target : `${target}#${fragment}`;
}

function pageOf(
  html: string,
  file: string,
  path: string,
  texts: ReadonlyMap<string, string>,
): string {
  const up = posix.relative(dirname(path), '');
  const links = [...TEXTS].map(([other, title]) => {
    const current = other === file ? ' aria-current="page"' : '';
    return `<li><a href="${posix.relative(dirname(path), texts.get(other)!)}"${current}>${title}</a></li>`;
  });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta
      http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
    />
    <meta name="color-scheme" content="light dark" />
    <title>emberlink: ${TEXTS.get(file) ?? file}</title>
    <link rel="icon" href="${up}/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="${up}/docs.css" />
  </head>
  <body>
    <header>
      <a class="brand" href="${up}/"><img src="${up}/icon.svg" alt="" width="28" height="28" />emberlink</a>
      <nav aria-label="Texts"><ul>${links.join('')}</ul></nav>
    </header>
    <main>
${html}
    </main>
  </body>
</html>
`;
}

function escape(attribute: string): string {
  return attribute.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
}
