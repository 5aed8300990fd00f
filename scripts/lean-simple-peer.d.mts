import type { Plugin } from 'esbuild';

export declare const leanSimplePeer: Plugin;
