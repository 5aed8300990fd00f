'use client';
import { joinRoom, openLedger, Sync } from 'emberlink';
import { useEffect } from 'react';
import { show, tryOut } from '../../try-out.js';

export default function Page() {
  useEffect(() => void tryOut({ openLedger, Sync, joinRoom }).then(show), []);
  return <h1>emberlink</h1>;
}
