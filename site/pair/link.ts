/** A link to this page that brings an offer or an answer with it; what follows # is sent to no server. */
export function linkTo(text: string): string {
  return `${location.origin}${location.pathname}#${text}`;
}

/** What the page's address brought, once: loading the page anew must not bring it again. */
export function takeFragment(): string | undefined {
  const text = location.hash.slice(1);
  if (text === '') return undefined;
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  return text;
}
