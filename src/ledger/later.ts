/*
 * What a page does not need to open, read and write a ledger of its own: what comes from elsewhere, and
 * the past of a document. It is loaded when it is first needed: see loadLater. What deals with all that
 * is stored is a part of its own: see loadArchive.
 */
export { conflictedIds, conflictsOf, historyOf } from './history.ts';
export { importCar } from './import-car.ts';
export { Intake } from './intake.ts';
export { KeptSketch } from './kept-sketch.ts';
export { fetchSnapshot } from './fetch-snapshot.ts';
export { bringsNews, mergeStoredRoot } from './snapshots.ts';
export { readRoot } from './snapshot.ts';
export { Sketch } from '../sketch.ts';
