import { openLedger } from 'emberlink/ledger';
import { joinRoom } from 'emberlink/room';
import { Sync } from 'emberlink/sync';
import { show, tryOut } from '../try-out.js';

show(await tryOut({ openLedger, Sync, joinRoom }));
