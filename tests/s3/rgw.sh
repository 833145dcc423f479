#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Ceph object gateway on loopback: one monitor, one OSD in memory, one gateway, no systemd,
# nothing outside $S3_DIR.
#   rgw.sh start|stop|status|env
# Read from the environment: S3_DIR S3_PORT S3_TLS_PORT S3_MON_PORT S3_ACCESS_KEY S3_SECRET_KEY
#   S3_BUCKET S3_BYTES (of the store; writes hang when it is full) S3_STS (false: a wrong key is
#   answered SignatureDoesNotMatch instead of AccessDenied) S3_OWNER (a process; when it ends,
#   the gateway does too)
# Needs: apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw curl openssl
set -u
dir=${S3_DIR:-${TMPDIR:-/tmp}/s3rgw}
port=${S3_PORT:-7480}
tls_port=${S3_TLS_PORT:-7443}
mon_port=${S3_MON_PORT:-16789}
access=${S3_ACCESS_KEY:-testaccesskey}
secret=${S3_SECRET_KEY:-testsecretkey0123456789}
bucket=${S3_BUCKET:-testbucket}
bytes=${S3_BYTES:-8589934592}
host=127.0.0.1
export CEPH_CONF=$dir/ceph.conf

# Debian 13's Ceph looks for them in a folder below the current one.
for classes in /usr/lib/*/rados-classes /usr/lib/rados-classes; do
  [ -d "$classes" ] && break
done

limited() { timeout 60 "$@"; }
alive() { [ -e "$dir/$1.pid" ] && kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null; }

write_conf() {
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_initial_members = a
mon_host = [v1:$host:$mon_port]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr2 = false
public_addr = $host
cluster_addr = $host
run_dir = $dir/run
pid_file = $dir/run/\$name.pid
admin_socket = $dir/run/\$name.asok
log_file = $dir/log/\$name.log
mon_cluster_log_file = $dir/log/cluster.log
keyring = /dev/null
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
debug_mon = 0/0
debug_paxos = 0/0
debug_ms = 0/0
[mon]
mon_data = $dir/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
auth_allow_insecure_global_id_reclaim = false
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_osd_initial_require_min_compat_client = luminous
[osd]
osd_data = $dir/osd
osd_objectstore = memstore
osd_crush_update_on_start = false
osd_class_update_on_start = false
memstore_device_bytes = $bytes
osd_class_dir = $classes
osd_class_load_list = *
osd_class_default_list = *
debug_osd = 0/0
[client]
rgw_data = $dir/rgw
rgw_dns_name = s3.localhost
rgw_enable_usage_log = false
rgw_enable_gc_threads = true
rgw_enable_lc_threads = true
rgw_enable_quota_threads = false
rgw_run_sync_thread = false
rgw_thread_pool_size = 32
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 2
rgw_gc_processor_max_time = 60
rgw_lc_max_worker = 1
objecter_inflight_ops = 4096
rgw_s3_auth_use_sts = ${S3_STS:-true}
rgw_sts_key = 0123456789abcdef
debug_rgw = 0/0
CONF
}

start() {
  if alive rgw; then
    echo "already running"
    return 0
  fi
  rm -rf "$dir"
  mkdir -p "$dir"/{mon,osd,rgw,run,log}
  fsid=$(cat /proc/sys/kernel/random/uuid)
  write_conf
  monmaptool --create --clobber --fsid "$fsid" --addv a "[v1:$host:$mon_port]" "$dir/monmap" \
    >/dev/null || return 1
  if ! ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring /dev/null >"$dir/log/mkfs-mon.txt" 2>&1; then
    cat "$dir/log/mkfs-mon.txt"
    return 1
  fi
  ceph-mon -f -i a >"$dir/log/mon.out" 2>&1 &
  echo $! >"$dir/mon.pid"
  cat /proc/sys/kernel/random/uuid >"$dir/osd.uuid"
  limited ceph --connect-timeout 20 osd new "$(cat "$dir/osd.uuid")" >/dev/null || return 1
  if ! ceph-osd -i 0 --mkfs --osd-uuid "$(cat "$dir/osd.uuid")" >"$dir/log/mkfs-osd.txt" 2>&1; then
    cat "$dir/log/mkfs-osd.txt"
    return 1
  fi
  # The OSD is placed by hand: with authentication off its own start-up command can race its first
  # monitor map ("wrong fsid") and end it. For the same reason it may need a second start.
  limited ceph osd crush add osd.0 1 root=default host=localhost >/dev/null 2>&1 || return 1
  up=0
  for _ in $(seq 150); do
    if ! alive osd; then
      ceph-osd -f -i 0 >>"$dir/log/osd.out" 2>&1 &
      echo $! >"$dir/osd.pid"
    fi
    limited ceph osd stat 2>/dev/null | grep -q '1 up' && {
      up=1
      break
    }
    sleep 0.1
  done
  if [ $up != 1 ]; then
    echo "the OSD did not come up"
    tail -5 "$dir/log/osd.out"
    return 1
  fi
  if ! limited radosgw-admin user create --uid=test --display-name=test --access-key="$access" \
    --secret-key="$secret" >"$dir/log/user.json" 2>"$dir/log/user.err"; then
    cat "$dir/log/user.err"
    return 1
  fi
  {
    # A second storage class, so that x-amz-storage-class is tested for real.
    limited radosgw-admin zonegroup placement add --rgw-zonegroup default \
      --placement-id default-placement --storage-class STANDARD_IA
    limited radosgw-admin zone placement add --rgw-zone default --placement-id default-placement \
      --storage-class STANDARD_IA --data-pool default.rgw.ia.data
    # A role for temporary credentials (sts:AssumeRole).
    limited radosgw-admin role create --role-name=tester --path=/ --assume-role-policy-doc='{
      "Version": "2012-10-17", "Statement": [{"Effect": "Allow",
      "Principal": {"AWS": ["arn:aws:iam:::user/test"]}, "Action": ["sts:AssumeRole"]}]}'
    limited radosgw-admin role-policy put --role-name=tester --policy-name=all --policy-doc='{
      "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"],
      "Resource": "arn:aws:s3:::*"}]}'
  } >/dev/null 2>>"$dir/log/user.err"
  names="DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
    -addext "subjectAltName=$names" -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null || return 1
  cat "$dir/key.pem" "$dir/cert.pem" >"$dir/tls.pem"
  radosgw -f -n client.rgw --rgw_frontends="beast endpoint=$host:$port \
    ssl_endpoint=$host:$tls_port ssl_certificate=$dir/tls.pem" >"$dir/log/rgw.out" 2>&1 &
  echo $! >"$dir/rgw.pid"
  for _ in $(seq 300); do
    curl -s -o /dev/null "http://$host:$port/" && break
    alive rgw || break
    sleep 0.1
  done
  empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  # The keys go through a file: a command line is everybody's to read.
  printf 'user = "%s:%s"\n' "$access" "$secret" >"$dir/curlrc"
  code=$(curl -s -K "$dir/curlrc" -o "$dir/log/bucket.xml" -w '%{http_code}' \
    --aws-sigv4 aws:amz:us-east-1:s3 -H "x-amz-content-sha256: $empty" \
    -X PUT "http://$host:$port/$bucket")
  if [ "$code" != 200 ]; then
    echo "bucket create: HTTP $code"
    cat "$dir/log/bucket.xml" "$dir/log/rgw.out"
    return 1
  fi
  if [ -n "${S3_OWNER:-}" ]; then
    # Whoever started it may be killed and then stops nothing.
    (
      exec </dev/null >/dev/null 2>&1
      while kill -0 "$S3_OWNER" && alive rgw; do sleep 1; done
      stop
    ) &
  fi
  echo "S3 ready: http://$host:$port bucket=$bucket"
}

# The store lives in memory and goes with its processes: nothing is worth an orderly end.
stop() {
  for daemon in rgw osd mon; do
    alive "$daemon" && kill -9 "$(cat "$dir/$daemon.pid")" 2>/dev/null
  done
  rm -rf "$dir"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) curl -s -o /dev/null -w '%{http_code}\n' "http://$host:$port/" ;;
  env)
    echo "export S3_ENDPOINT=http://$host:$port AWS_ENDPOINT_URL=http://$host:$port" \
      "AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret AWS_REGION=us-east-1" \
      "S3_BUCKET=$bucket"
    ;;
  *)
    echo "usage: $0 start|stop|status|env"
    exit 2
    ;;
esac
