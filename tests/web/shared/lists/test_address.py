"""Address of a list, as query parameters."""

from uuid import UUID

from tests.web.unsaved import ACCOUNT_ID, list_address

CURSOR = UUID("00000000-0000-4000-8000-0000000000c0")


def test_url_has_account_and_filters() -> None:
    address = list_address(filters={"person": "maria@example.com", "kind": "pcap"})
    assert address.url() == f"/history/?account={ACCOUNT_ID}&person=maria%40example.com&kind=pcap"


def test_url_omits_empty_filters() -> None:
    address = list_address(filters={"person": "", "kind": "pcap"})
    assert address.url() == f"/history/?account={ACCOUNT_ID}&kind=pcap"
    assert address.url(kind="") == f"/history/?account={ACCOUNT_ID}"


def test_changes_replace_filters() -> None:
    address = list_address(filters={"kind": "pcap"})
    assert address.url(kind="warp-diag") == f"/history/?account={ACCOUNT_ID}&kind=warp-diag"


def test_url_leads_to_the_first_page() -> None:
    assert list_address(cursor=CURSOR).url() == f"/history/?account={ACCOUNT_ID}"


def test_url_of_a_page_continues_before_the_cursor_if_newest_come_first() -> None:
    address = list_address(filters={"kind": "pcap"})
    assert address.url_of_page(CURSOR) == f"/history/?account={ACCOUNT_ID}&kind=pcap&before={CURSOR}"


def test_url_of_a_page_continues_after_the_cursor_if_oldest_come_first() -> None:
    address = list_address(is_oldest_first=True)
    assert address.url_of_page(CURSOR) == f"/history/?account={ACCOUNT_ID}&after={CURSOR}"


def test_url_of_the_first_page_has_no_cursor() -> None:
    assert list_address(cursor=CURSOR).url_of_page(None) == f"/history/?account={ACCOUNT_ID}"


def test_part_url_has_the_path_of_the_list_alone() -> None:
    address = list_address("/", part_path="/commands/table", filters={"days": "7"})
    assert address.part_url() == f"/commands/table?account={ACCOUNT_ID}&days=7"
    assert address.part_url(days="all") == f"/commands/table?account={ACCOUNT_ID}&days=all"


def test_part_url_is_the_url_of_the_page_if_the_list_has_no_path_of_its_own() -> None:
    address = list_address(filters={"kind": "pcap"})
    assert address.part_url() == address.url()


def test_poll_asks_for_the_same_page_and_filters_since_the_token() -> None:
    address = list_address("/", part_path="/commands/table", filters={"days": "7"}, cursor=CURSOR)
    assert address.poll_url("4.0") == f"/commands/table?account={ACCOUNT_ID}&days=7&before={CURSOR}&token=4.0"


def test_poll_of_the_first_page_has_no_cursor() -> None:
    assert list_address().poll_url("4.0") == f"/history/?account={ACCOUNT_ID}&token=4.0"
