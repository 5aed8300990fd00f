import * as emberlink from 'emberlink';

declare global {
  /** The public names, for what tests evaluate in a page. */
  var emberlink: typeof import('emberlink');
}

globalThis.emberlink = emberlink;
